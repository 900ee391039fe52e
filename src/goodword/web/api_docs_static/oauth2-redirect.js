// The small window that signed somebody in hands the authorization code to the page that opened it, and goes.
const { auth, callback, errCb, redirectUrl, state } = window.opener.swaggerUIRedirectOauth2;
const answer = new URLSearchParams(location.search);

const refuse = (message) => errCb({ authId: auth.name, source: "auth", level: "error", message });

if (answer.get("state") !== state) {
  refuse("This answer belongs to another request.");
} else if (answer.has("code")) {
  delete auth.state;
  auth.code = answer.get("code");
  callback({ auth, redirectUrl });
} else {
  refuse(answer.get("error_description") ?? answer.get("error") ?? "Nobody signed in.");
}
window.close();
