// What every plot of a page has in common. Knows nothing of what is plotted.
"use strict";
const plotting = (() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // A finger that drags means to scroll the page, not to zoom the plot.
  const touch = matchMedia("(pointer: coarse)").matches;
  return {
    colour,
    axis: () => ({ gridcolor: colour("--grid"), zerolinecolor: colour("--rule"), linecolor: colour("--rule"), fixedrange: touch }),
    layout: () => ({
      autosize: true, showlegend: false, margin: { l: 58, r: 12, t: 10, b: 46 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: colour("--soft") },
      // A list of all models would cover a narrow plot.
      hovermode: document.body.clientWidth < 820 ? "closest" : "x unified", dragmode: touch ? false : "zoom",
      hoverlabel: { bgcolor: colour("--page"), bordercolor: colour("--rule"), font: { color: colour("--ink"), size: 12.5 } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--grey"), activecolor: colour("--ink") },
    }),
    draw: (name, traces, layout) => Plotly.react(document.getElementById(name), traces, layout, {
      responsive: true, displaylogo: false, typesetMath: false, scrollZoom: false, displayModeBar: !touch,
      // Named one by one: by default there is also a button that sends the data to plotly's cloud.
      modeBarButtons: [["toImage", "resetScale2d"]], showSendToCloud: false,
      toImageButtonOptions: { filename: name, scale: 2 },
    }),
  };
})();
