"use strict";

// No tagsSorter or operationsSorter: the order of the specification is the order to read it in.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  persistAuthorization: true,
  tryItOutEnabled: true,
  validatorUrl: null, // the default sends the specification's address to validator.swagger.io
});
