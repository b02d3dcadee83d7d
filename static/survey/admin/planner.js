// Another question has other defaults: ask the server for them at once.

document.querySelector("#planner [name=question]")?.addEventListener("change", (event) => event.target.form.requestSubmit());
