// The list of monitors: what is ticked stays so while the list changes, and what was done can be undone for a while.
"use strict";

const ticked = new Set();
let last = null;

const boxes = () => [...document.querySelectorAll("input.pick")];

function tellMany() {
  const form = document.getElementById("picked");
  if (!form) return;
  const all = form.querySelector('input[name="all"]');
  const many = new Set(boxes().filter((box) => box.checked).map((box) => box.name)).size;
  form.querySelector("[data-many]").textContent = all && all.checked ? "" : `${many} ticked`;
  const page = form.querySelector("[data-page]");
  page.hidden = false;
  page.firstElementChild.checked = boxes().length > 0 && boxes().every((box) => box.checked);
}

function set(name, on) {
  if (on) ticked.add(name);
  else ticked.delete(name);
  for (const box of boxes()) if (box.name === name) box.checked = on;  // a monitor may stand in several groups
}

function changed(event) {
  const box = event.target;
  if (box.matches("input.pick")) set(box.name, box.checked);
  else if (box.closest("[data-page]")) for (const each of boxes()) set(each.name, box.checked);
  else if (!box.matches('#picked input[name="all"]')) return;
  tellMany();
}

// A click with Shift makes all from the one before like the one that it hits.
function clicked(event) {
  if (!event.target.matches("input.pick")) return;
  const all = boxes();
  const [from, to] = [all.indexOf(last), all.indexOf(event.target)].sort((a, b) => a - b);
  if (event.shiftKey && from >= 0) for (const box of all.slice(from, to + 1)) set(box.name, event.target.checked);
  last = event.target;
}

// A list that is drawn anew keeps what is ticked of it.
function drawn() {
  const there = new Set(boxes().map((box) => box.name));
  for (const name of [...ticked]) if (!there.has(name)) ticked.delete(name);
  for (const box of boxes()) box.checked = ticked.has(box.name);
  tellMany();
}

document.addEventListener("DOMContentLoaded", () => {
  document.addEventListener("change", changed);
  document.addEventListener("click", clicked);
  document.addEventListener("htmx:afterSettle", (event) => { if (event.target.id === "results") drawn(); });
  for (const box of boxes()) box.checked = false;
  tellMany();
  for (const toast of document.querySelectorAll(".toast")) {
    setTimeout(() => toast.remove(), 1000 * Number(toast.dataset.left));
  }
});
