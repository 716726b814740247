// Tables and code that are wider than the page can be scrolled by the keyboard too.
addEventListener("load", () => {
  document.querySelectorAll(".md-code__nav").forEach((bar, i) => bar.setAttribute("aria-label", `block of code ${i + 1}`));
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code, figure.drawing, .formula, .card")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else if (box.matches("figure.drawing, .formula")) box.removeAttribute("tabindex");
  }
});

// The worked example: a number that is pointed at is marked wherever it stands.
const lit = place => {
  if (!document.querySelector("[data-q]")) return;
  const name = place?.closest?.("[data-q]")?.dataset.q;
  document.querySelectorAll("[data-q]").forEach(number => number.classList.toggle("lit", number.dataset.q === name));
};
for (const event of ["pointerover", "click"]) addEventListener(event, ({ target }) => lit(target));
