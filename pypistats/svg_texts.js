// Gives the texts of an SVG the widths that they have in the site's own font. Who looks at it may
// lack that font, and wider letters would be cut off or run into what is beside them.
(function () {
  "use strict";

  const toImage = Plotly.toImage;

  Plotly.toImage = async (figure, options) => {
    const image = await toImage(figure, options);
    return options.format === "svg" ? withWidths(image) : image;
  };

  function withWidths(image) {
    const parsed = new DOMParser().parseFromString(image, "image/svg+xml");
    const svg = document.body.appendChild(document.importNode(parsed.documentElement, true));
    svg.querySelectorAll("text").forEach(partLines);
    for (const text of svg.querySelectorAll("text")) {
      const width = text.getComputedTextLength();
      if (width) {
        text.setAttribute("textLength", width.toFixed(1));
        text.setAttribute("lengthAdjust", "spacingAndGlyphs");
      }
    }
    svg.remove();
    return new XMLSerializer().serializeToString(svg);
  }

  // Each line becomes a text of its own: Firefox takes a width for no less.
  function partLines(text) {
    for (const line of [...text.querySelectorAll("tspan.line")].slice(1)) {
      const own = text.cloneNode(false);
      own.append(line);
      text.parentNode.append(own);
    }
  }
})();
