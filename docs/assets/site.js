// Tables and code that are wider than the page can be scrolled by the keyboard too.
addEventListener("load", () => {
  document.querySelectorAll(".md-code__nav").forEach((bar, i) => bar.setAttribute("aria-label", `block of code ${i + 1}`));
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code, figure.drawing, .formula")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else if (box.matches("figure.drawing, .formula")) box.removeAttribute("tabindex");
  }
});
