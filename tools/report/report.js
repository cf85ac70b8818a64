// Draws the plots that the page carries as data. Knows nothing of trials.
(() => {
  const { looks, plots } = JSON.parse(document.getElementById("drawing").textContent);
  const lookOf = new Map(looks.map((look) => [look.model, look]));
  const hidden = new Set();
  const shown = new Map(plots.map((plot) => [plot.name, plot.selected]));
  const { axis } = plotting;

  function trace(line) {
    const look = lookOf.get(line.model);
    return {
      type: "scatter", mode: line.x.length > 24 ? "lines" : "lines+markers", name: line.model,
      x: line.x, y: line.y, text: line.text, hovertemplate: `${line.model}: %{text}<extra></extra>`, connectgaps: false,
      visible: !hidden.has(line.model),
      line: { color: look.colour, width: 2.5 }, marker: { color: look.colour, symbol: look.symbol, size: 9 },
    };
  }

  function layout(plot, view) {
    const xs = plot.views.flatMap((each) => each.lines.flatMap((line) => line.x));
    const [low, high] = xs.length ? [Math.min(...xs), Math.max(...xs)] : [1, 10];
    const margin = Math.max(0.04 * Math.log10(high / low), low === high ? 0.5 : 0.02);
    return {
      ...plotting.layout(),
      xaxis: {
        ...axis(), type: "log", range: [Math.log10(low) - margin, Math.log10(high) + margin],
        title: { text: plot.x_title, standoff: 8 }, minor: { showgrid: false }, unifiedhovertitle: { text: plot.x_hover },
        tickvals: plot.x_ticks.map((tick) => tick[0]), ticktext: plot.x_ticks.map((tick) => tick[1]),
      },
      yaxis: {
        ...axis(), type: view.log ? "log" : "linear", rangemode: "tozero", automargin: true,
        title: { text: view.y_title, standoff: 6 }, exponentformat: "none", separatethousands: true, nticks: 7,
      },
    };
  }

  function draw(plot) {
    const view = plot.views[shown.get(plot.name)];
    const lines = view ? view.lines : [];
    const known = lines.some((line) => line.y.some((y) => y !== null));
    const drawn = layout(plot, view || { log: false, y_title: "" });
    if (!known) {
      drawn.annotations = [{ text: "not measured", showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 }];
    }
    plotting.draw(plot.name, lines.map(trace), drawn);
  }

  const drawAll = () => plots.forEach(draw);
  for (const plot of plots) {
    document.querySelectorAll(`input[name="view-${plot.name}"]`).forEach((input) =>
      input.addEventListener("change", () => { shown.set(plot.name, Number(input.value)); draw(plot); }));
  }
  document.querySelectorAll(".legend input").forEach((input) =>
    input.addEventListener("change", () => { hidden[input.checked ? "delete" : "add"](input.value); drawAll(); }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll();
})();
