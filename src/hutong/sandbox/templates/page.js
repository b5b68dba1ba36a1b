"use strict";
// Every two seconds the page is fetched again and only what changed is put in, so that a playing video and a form
// somebody is filling in are left alone.
const seen = new Map();
const remember = (node) => seen.set(node.id, node.outerHTML);
const isBusy = (node) => [...node.querySelectorAll("video")].some((video) => !video.paused);
document.querySelectorAll("[data-live], [data-list] > *").forEach(remember);

const swap = (fresh) => {
  const old = document.getElementById(fresh.id);
  if (seen.get(fresh.id) === fresh.outerHTML || (old && (isBusy(old) || old.contains(document.activeElement)))) return;
  remember(fresh);
  if (old) old.replaceWith(document.importNode(fresh, true));
};

const refreshList = (list) => {
  const own = document.getElementById(list.id);
  const ids = new Set([...list.children].map((child) => child.id));
  [...own.children].forEach((child) => ids.has(child.id) || (seen.delete(child.id), child.remove()));
  [...list.children].forEach((child, place) => {
    if (document.getElementById(child.id)) return swap(child);
    remember(child);
    own.insertBefore(document.importNode(child, true), own.children[place] ?? null);
  });
};

const refresh = async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) return;
    const html = (await answer.text()).replace(/<(style|script)[^]*?<\/\1>/g, ""); // of another nonce: would be refused
    const page = new DOMParser().parseFromString(html, "text/html");
    page.querySelectorAll("[data-live]").forEach(swap);
    page.querySelectorAll("[data-list]").forEach(refreshList);
  } catch {
    // The server is restarting; the next round tries again.
  }
};

const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}
setInterval(refresh, 2000);
