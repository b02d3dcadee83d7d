// Drag and drop, and how far the upload is. Without this script the form works by itself.

const form = document.getElementById("upload");
const input = document.getElementById("files");
const zone = document.getElementById("dropzone");
const text = document.getElementById("progress-text");
const bar = document.querySelector("#progress progress");

for (const name of ["dragenter", "dragover"]) {
  zone?.addEventListener(name, (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) zone?.addEventListener(name, () => zone.classList.remove("over"));

zone?.addEventListener("drop", (event) => {
  event.preventDefault();
  input.files = event.dataTransfer.files;
  form.requestSubmit();
});

function tell(words, value) {
  document.getElementById("progress").hidden = false;
  text.textContent = words;
  if (value === null) bar.removeAttribute("value");
  else bar.value = value;
}

function finish(request) {
  const answer = request.response;
  if (answer?.url) return location.assign(answer.url);
  document.getElementById("progress").hidden = true;
  document.getElementById("faults").innerHTML = answer?.html ?? ""; // made by our own template
  if (!answer?.html) tell(text.dataset.failed, 0);
}

// Not fetch: it cannot tell how much has been sent.
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!input.files.length) return input.click();
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.responseType = "json";
  request.setRequestHeader("Accept", "application/json");
  request.upload.onprogress = ({ loaded, total }) => {
    const sent = loaded / total;
    if (sent < 1) tell(`${text.dataset.sending} ${Math.round(100 * sent)} %`, sent);
    else tell(text.dataset.preparing, null);
  };
  request.onload = () => finish(request);
  request.onerror = () => tell(text.dataset.failed, 0);
  document.getElementById("faults").replaceChildren();
  tell(`${text.dataset.sending} 0 %`, 0);
  request.send(new FormData(form));
});
