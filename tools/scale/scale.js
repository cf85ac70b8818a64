// Draws a grid's plots, which the page carries as data. Knows nothing of cells.
(() => {
  const { looks, plots } = JSON.parse(document.getElementById("drawing").textContent);
  const lookOf = new Map(looks.map((look) => [look.model, look]));
  const hidden = new Set();
  const shown = new Map(plots.map((plot) => [plot.name, 0]));
  const { colour, axis } = plotting;

  function heatTraces(view) {
    return [{
      type: "heatmap", x: view.heat.x, y: view.heat.y, z: view.heat.z, text: view.heat.text, customdata: view.heat.told,
      texttemplate: "%{text}", textfont: { size: 13 }, hovertemplate: "%{x} x %{y} CPUs: %{customdata}<extra></extra>",
      // Not by the model's colour: what is compared is within one model, and light is few in print too.
      colorscale: "Cividis", showscale: false, hoverongaps: true, xgap: 3, ygap: 3, zmin: 0,
    }];
  }

  function pointTraces(view) {
    const traces = [];
    const largest = Math.max(...view.points.flatMap((points) => points.x.map(Number)));
    if (view.proportional) {
      traces.push({
        type: "scatter", mode: "lines", x: [0, largest], y: [0, largest], hoverinfo: "skip",
        line: { color: colour("--grey"), width: 1.5, dash: "dot" },
      });
    }
    for (const points of view.points) {
      const look = lookOf.get(points.service);
      const visible = !hidden.has(points.service);
      traces.push({
        type: "scatter", mode: points.curve_x.length ? "markers" : "lines+markers", name: points.service, visible,
        x: points.x, y: points.y, text: points.text, hovertemplate: `${points.service}: %{text}<extra></extra>`,
        error_y: { type: "data", symmetric: false, array: points.above, arrayminus: points.below, color: look.colour, thickness: 1.5 },
        line: { color: look.colour, width: 2 }, marker: { color: look.colour, symbol: look.symbol, size: 9 },
      });
      if (points.curve_x.length) {
        traces.push({
          type: "scatter", mode: "lines", x: points.curve_x, y: points.curve_y, hoverinfo: "skip", visible,
          line: { color: look.colour, width: 2, dash: "dash" },
        });
      }
    }
    return traces;
  }

  function draw(plot) {
    const view = plot.views[shown.get(plot.name)];
    const layout = {
      ...plotting.layout(),
      xaxis: { ...axis(), title: { text: view.x_title, standoff: 8 } },
      yaxis: { ...axis(), title: { text: view.y_title, standoff: 6 }, automargin: true, separatethousands: true, rangemode: "tozero" },
    };
    if (view.heat) {
      layout.hovermode = "closest";
      Object.assign(layout.xaxis, { type: "category", showgrid: false });
      Object.assign(layout.yaxis, { type: "category", showgrid: false });
    } else if (view.proportional) {
      layout.xaxis.rangemode = "tozero";
    } else {
      layout.xaxis.type = "category";
    }
    plotting.draw(plot.name, view.heat ? heatTraces(view) : pointTraces(view), layout);
    document.getElementById(`notes-${plot.name}`).replaceChildren(...(view.notes || []).map((note) => {
      const item = document.createElement("li");
      item.textContent = note;
      return item;
    }));
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
