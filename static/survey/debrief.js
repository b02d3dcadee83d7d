// Before and after under a slider. Without this script they stand side by side.

const ARROWS = "M4 12h16M8 8l-4 4 4 4M16 8l4 4-4 4";

function handle() {
  const element = document.createElement("span");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const drawing = { d: ARROWS, fill: "none", stroke: "currentColor", "stroke-width": "1.5" };
  for (const [name, value] of Object.entries(drawing)) path.setAttribute(name, value);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.append(path);
  element.className = "handle";
  element.append(svg);
  return element;
}

function slider(figure) {
  const views = figure.querySelector(".views");
  const range = document.createElement("input");
  Object.assign(range, { type: "range", min: 0, max: 100, step: 0.5, value: 50 });
  range.setAttribute("aria-label", figure.dataset.slider);
  range.addEventListener("input", () => views.style.setProperty("--cut", `${range.value}%`));
  figure.classList.add("sliding");
  views.append(handle(), range);
}

document.querySelectorAll("[data-slider]").forEach(slider);
