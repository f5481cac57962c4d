// Sets the theme that was chosen here before. The body begins with it: no content is
// painted before, and the head has no script that rendering waits for.
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("script");
  try {
    var theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") {
      root.dataset.theme = theme;
    }
  } catch {
    // The browser keeps nothing for this site: its own preference applies.
  }
})();
