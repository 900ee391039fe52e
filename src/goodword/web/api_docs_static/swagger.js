"use strict";

// The document names PUBLIC_URL as its server. The page may be open at another address of the same
// service, and the page may only talk to where it came from.
function useThisServer(response) {
  if (response.url.endsWith("/openapi.json")) {
    const here = new URL(".", location.href).href.replace(/\/$/, "");
    response.text = JSON.stringify({ ...JSON.parse(response.text), servers: [{ url: here }] });
  }
  return response;
}

// No tagsSorter or operationsSorter: the order of the specification is the order to read it in.
const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  oauth2RedirectUrl: new URL("docs/oauth2-redirect", location.href).href,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0, // there are more than a hundred
  responseInterceptor: useThisServer,
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null, // the default sends the specification's address to validator.swagger.io
});

// The page is an app of its own at our authorization server: public, and with no secret to leak.
ui.initOAuth({ clientId: "goodword-docs", usePkceWithAuthorizationCodeGrant: true });
