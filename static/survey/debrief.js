// Before and after under a slider, and the card to share. Without this script the pictures stand
// side by side, and the card is a download.

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

/** Hand the card to whatever the device shares with. Where it cannot, the link is a download. */
function sharing(link) {
  const data = (blob) => ({
    files: [new File([blob], link.download, { type: "image/png" })],
    text: link.dataset.link,
  });
  if (!navigator.canShare?.(data(""))) return;
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    try {
      const card = await fetch(link.href);
      await navigator.share(data(await card.blob()));
    } catch (error) {
      if (error.name !== "AbortError") location.assign(link.href);
    }
  });
}

document.querySelectorAll("#share").forEach(sharing);
