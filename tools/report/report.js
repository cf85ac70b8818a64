// Shows one view of each figure and one set of figures, and highlights the arms that are selected or pointed at.
"use strict";
(() => {
  document.addEventListener("change", ({target}) => {
    if (target.type !== "radio") return;
    const shown = document.getElementById(target.value);
    for (const view of shown.parentNode.children) {
      if (view.matches(".view")) view.hidden = view !== shown;
    }
  });

  const boxes = [...document.querySelectorAll(".legend input")];
  const arms = [...document.querySelectorAll("[data-arm]")];
  const armOf = (event) => event.target.closest("[data-arm]")?.dataset.arm;
  let pointed;

  function paint() {
    const selected = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    document.body.classList.toggle("highlighting", selected.size > 0 || Boolean(pointed));
    for (const each of arms) {
      const arm = each.dataset.arm;
      const on = arm === pointed || selected.has(arm);
      each.classList.toggle("on", on);
      if (on && each instanceof SVGElement) each.parentNode.append(each);  // above the others
      each.classList.toggle("pointed", arm === pointed);
    }
  }

  function point(arm) {
    if (arm !== pointed) { pointed = arm; paint(); }
  }

  document.addEventListener("pointerover", (event) => point(armOf(event)));
  document.addEventListener("focusin", (event) => point(armOf(event)));
  document.addEventListener("focusout", () => point(undefined));
  for (const box of boxes) box.addEventListener("change", paint);
  for (const button of document.querySelectorAll(".legend button")) {
    const family = [...button.closest("fieldset").querySelectorAll("input")];
    button.addEventListener("click", () => {
      const all = family.every((box) => box.checked);
      family.forEach((box) => { box.checked = !all; });
      paint();
    });
  }
  // A thin line is hard to point at.
  for (const line of document.querySelectorAll(".curves .line")) {
    const wide = line.cloneNode();
    wide.setAttribute("class", "hit");
    line.before(wide);
  }
  for (const arm of document.querySelectorAll(".curves .arm")) {
    arm.addEventListener("click", () => boxes.find((box) => box.value === arm.dataset.arm)?.click());
  }
  paint();
})();
