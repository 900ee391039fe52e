// A page may stay open for longer than its token is valid.
document.addEventListener("goodword:token-expired", async (event) => {
  const answer = await fetch("/refer/token", { method: "POST" });
  if (answer.ok) event.target.setAttribute("token", await answer.text());
});
