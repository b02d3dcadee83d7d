// The size of the window travels with the consent; nothing else is measured here.
const viewport = document.querySelector("input[name=viewport]");
if (viewport) viewport.value = `${innerWidth}x${innerHeight}`;
