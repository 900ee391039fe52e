"use strict";

// No tagsSorter or operationsSorter: the order of the specification is the order to read it in.
const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  oauth2RedirectUrl: new URL("docs/oauth2-redirect", location.href).href,
  displayRequestDuration: true,
  docExpansion: "list",
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null, // the default sends the specification's address to validator.swagger.io
});

// The page is an app of its own at our authorization server: public, and with no secret to leak.
ui.initOAuth({ clientId: "goodword-docs", usePkceWithAuthorizationCodeGrant: true });
