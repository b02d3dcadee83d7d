// Keeps a page of the researcher's side up to date: fetches the part that changes, and replaces
// only what differs, so that an open table stays open and nobody loses the place.

const EVERY_MS = 5000;
const LONGEST_MS = 60000;

const head = document.querySelector("[data-live]");
const live = document.getElementById("live");

if (head && live) {
  const every = Number(head.dataset.every) || EVERY_MS;
  keepUpToDate(head.dataset.live, live, every, head.dataset.stale ?? "");
}

function keepUpToDate(url, place, every, staleText) {
  let wait = every;
  let timer = 0;
  const seen = new Map(partsOf(place).map((part) => [part.id, part.outerHTML]));

  function later() {
    clearTimeout(timer);
    timer = setTimeout(look, wait);
  }

  async function look() {
    if (document.hidden) {
      return; // the page looks again when it is looked at
    }
    try {
      const page = await fetchPage(url);
      if (page.querySelector("[data-done]")) {
        location.reload();
        return;
      }
      renew(page, place, seen);
      wait = every;
    } catch {
      wait = Math.min(2 * wait, LONGEST_MS);
      markStale(place, staleText);
    }
    later();
  }

  document.addEventListener("visibilitychange", look);
  later();
}

function partsOf(root) {
  return [...root.querySelectorAll("section[id], #updated")];
}

// An XMLHttpRequest, because it parses HTML without a sink for scripts.
function fetchPage(url) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", url);
    request.responseType = "document";
    request.timeout = 20000;
    request.onload = () => {
      const isLive = request.status === 200 && request.response?.getElementById("updated");
      isLive ? resolve(request.response) : reject(new Error(String(request.status)));
    };
    request.onerror = request.ontimeout = () => reject(new Error("network"));
    request.send();
  });
}

function renew(page, place, seen) {
  const parts = partsOf(page);
  const isSame = parts.every((part, i) => partsOf(place)[i]?.id === part.id);
  if (!isSame || parts.length !== partsOf(place).length) {
    place.replaceChildren(...[...page.body.children].map((node) => document.adoptNode(node)));
    remember(place, seen);
    return;
  }
  for (const part of parts) {
    if (part.outerHTML !== seen.get(part.id)) {
      seen.set(part.id, part.outerHTML);
      replace(document.getElementById(part.id), document.adoptNode(part));
    }
  }
}

function remember(place, seen) {
  seen.clear();
  for (const part of partsOf(place)) {
    seen.set(part.id, part.outerHTML);
  }
}

function replace(old, fresh) {
  const open = new Set([...old.querySelectorAll("details[open]")].map((node) => node.id));
  const focused = old.contains(document.activeElement);
  for (const details of fresh.querySelectorAll("details")) {
    details.open = open.has(details.id);
  }
  old.replaceWith(fresh);
  if (focused) {
    fresh.querySelector("summary")?.focus();
  }
}

function markStale(place, text) {
  const updated = place.querySelector("#updated");
  if (updated && text && !updated.dataset.stale) {
    updated.dataset.stale = "true";
    updated.textContent = `${text} ${updated.textContent}`;
  }
}
