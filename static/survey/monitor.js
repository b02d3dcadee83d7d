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
  return [...root.querySelectorAll("section[id], #updated, .who-nav [id]")];
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
  const [old, fresh] = [partsOf(place), partsOf(page)];
  const came = new Map(fresh.map((part) => [part.id, part.outerHTML]));
  if (old.map((part) => part.id).join() !== fresh.map((part) => part.id).join()) {
    const nodes = [...page.body.children].map((node) => document.adoptNode(node));
    keepingOpen(place, nodes, () => place.replaceChildren(...nodes));
  } else {
    fresh.forEach((part, i) => {
      if (came.get(part.id) !== seen.get(part.id)) {
        keepingOpen(old[i], [part], () => old[i].replaceWith(document.adoptNode(part)));
      }
    });
  }
  seen.clear();
  came.forEach((html, id) => seen.set(id, html));
}

// What was open stays open, and who was at a summary stays there.
function keepingOpen(old, nodes, replace) {
  const open = [...old.querySelectorAll("details[open]")].map((node) => node.id);
  const focused = document.activeElement?.closest("details")?.id;
  const hadFocus = old.contains(document.activeElement);
  replace();
  for (const node of nodes) {
    for (const details of node.querySelectorAll("details")) {
      details.open = details.open || open.includes(details.id);
    }
  }
  if (hadFocus && focused) {
    document.getElementById(focused)?.querySelector("summary").focus();
  }
}

function markStale(place, text) {
  const updated = place.querySelector("#updated");
  if (updated && text && !updated.dataset.stale) {
    updated.dataset.stale = "true";
    updated.textContent = `${text} ${updated.textContent}`;
  }
}
