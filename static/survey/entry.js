// The size of the window travels with the consent, and whether a program drives the browser.
const field = (name) => document.querySelector(`input[name=${name}]`);
const small = document.getElementById("too-small");

function look() {
  if (field("viewport")) field("viewport").value = `${innerWidth}x${innerHeight}`;
  if (!small) return;
  const { width, height } = small.dataset;
  small.hidden = innerWidth >= width && innerHeight >= height;
  document.getElementById("enough").hidden = !small.hidden;
}

if (field("webdriver")) field("webdriver").value = navigator.webdriver === true;
addEventListener("resize", look);
look();
