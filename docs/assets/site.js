// Tables and code that are wider than the page can be scrolled by the keyboard too.
addEventListener("load", () => {
  document.querySelectorAll(".md-code__nav").forEach((bar, i) => bar.setAttribute("aria-label", `block of code ${i + 1}`));
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code, figure.drawing, .formula, .card")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else if (box.matches("figure.drawing, .formula")) box.removeAttribute("tabindex");
  }
});

// What is read as one piece stays on one line: words of code such as --name, and cells of figures; longer words break
// where their parts end. A cell of sentences keeps a width that can be read.
const whole = word => word.length > 30 ? word.replace(/[/_.:=]+/g, "$&<wbr>") : `<span class="whole">${word}</span>`;
addEventListener("DOMContentLoaded", () => {
  for (const code of document.querySelectorAll(".md-typeset :not(pre) > code")) {
    if (!code.childElementCount) code.innerHTML = code.innerHTML.replace(/\S+/g, whole);
  }
  for (const cell of document.querySelectorAll(".md-typeset table:not([class]) :is(th, td)")) {
    const text = cell.textContent.trim();
    cell.classList.toggle("whole", /^[\d.,\s/<>%±+:e\u2212-]{1,16}$/.test(text));
    cell.classList.toggle("long", text.length > 60);
  }
});

// The worked example: a number that is pointed at is marked wherever it stands.
const lit = place => {
  if (!document.querySelector("[data-q]")) return;
  const name = place?.closest?.("[data-q]")?.dataset.q;
  document.querySelectorAll("[data-q]").forEach(number => number.classList.toggle("lit", number.dataset.q === name));
};
for (const event of ["pointerover", "click"]) addEventListener(event, ({ target }) => lit(target));
