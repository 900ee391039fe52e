"use strict";

// ReDoc asks for Roboto and Montserrat by default; the system's fonts need no download.
const text = "system-ui, sans-serif";
const code = "ui-monospace, monospace";

Redoc.init(
  "openapi.json",
  {
    theme: {
      typography: {
        fontFamily: text,
        headings: { fontFamily: text },
        code: { fontFamily: code },
      },
    },
  },
  document.getElementById("docs"),
);
