// Sorts tables, lets the keyboard scroll, opens what is folded before printing, and draws the charts after the text was painted.
"use strict";

const value = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  const number = Number(text);
  return text !== "" && Number.isFinite(number) ? number : text.toLowerCase();
};

const compare = (a, b) => {
  if (typeof a === "number" && typeof b === "number") return a - b;
  // Numbers before texts, so that a column's dashes stay together.
  if (typeof a !== typeof b) return typeof a === "number" ? 1 : -1;
  return a < b ? -1 : a > b ? 1 : 0;
};

for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = head.classList.contains("n") ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      for (const one of table.querySelectorAll("th")) one.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [value(row, column), row]);
      rows.sort((a, b) => sign * compare(a[0], b[0]));
      body.append(...rows.map((pair) => pair[1]));
    });
  });
}

// What scrolls can be reached with the keyboard, and says what it is; what fits is no stop on the way.
const headingOf = (element) => {
  for (let place = element; place && place !== document.body; place = place.parentElement) {
    for (let before = place.previousElementSibling; before; before = before.previousElementSibling) {
      if (/^(H[2-4]|SUMMARY)$/.test(before.tagName)) return before.textContent;
    }
  }
  return document.title;
};

const watched = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight) {
      target.tabIndex = 0;
      target.setAttribute("role", "group");
      target.setAttribute("aria-label", headingOf(target));
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) target.removeAttribute(name);
    }
  }
});
for (const place of document.querySelectorAll(".scroll, .tall")) watched.observe(place);

const folded = new Set();
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) {
    details.open = true;
    folded.add(details);
  }
});
addEventListener("afterprint", () => {
  for (const details of folded) details.open = false;
  folded.clear();
});

const charts = JSON.parse(document.getElementById("charts").textContent);
const views = {};
window.deployReport = { views, drawn: false };

const draw = async () => {
  for (const place of document.querySelectorAll("[data-chart]")) {
    const key = place.dataset.chart;
    // The interpreter (ast) runs expressions without eval, which the page's policy forbids.
    // A picture with one sentence, not hundreds of marks to listen to: Vega puts its own words there.
    const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true };
    const sentence = place.getAttribute("aria-label");
    views[key] = (await window.vegaEmbed(place, charts[key], options)).view;
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", sentence);
    place.removeAttribute("aria-roledescription");
    // A turn of the event loop in between keeps the page answering.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  window.deployReport.drawn = true;
};
requestAnimationFrame(() => setTimeout(draw, 0));
