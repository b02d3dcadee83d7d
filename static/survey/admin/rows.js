// Buttons that add and move the rows of a list. Without this script the last, empty row adds one,
// and the numbers of the places move them.

document.documentElement.classList.add("scripted");

const totalOf = (rows) => rows.querySelector(":scope > input[name$='-TOTAL_FORMS']");
const listOf = (rows) => rows.querySelector(":scope > .rows-list");

for (const spare of document.querySelectorAll(".rows-list > .spare")) {
  totalOf(spare.closest(".rows")).value -= 1;
  spare.remove();
}

function reveal(element) {
  for (let at = element.parentElement; at; at = at.parentElement) if (at.matches("details")) at.open = true;
}

document.querySelectorAll("details :is(.fault, .errorlist)").forEach(reveal);

const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
if (target) {
  reveal(target);
  target.scrollIntoView({ block: "center" });
}

function number(list) {
  [...list.children].forEach((row, index) => {
    row.querySelector(".row-number").textContent = index + 1;
    row.querySelector(":scope > .row-tools .row-order input").value = index + 1;
  });
}

// The names in the template are those of the page as it was sent; Django's own script may have
// given the block around it another number since.
function add(rows) {
  const template = rows.querySelector(":scope > template");
  const total = totalOf(rows);
  const prefix = total.name.replace(/-TOTAL_FORMS$/, "");
  const html = template.innerHTML.replaceAll(`${template.dataset.prefix}-__prefix__`, `${prefix}-${total.value}`);
  listOf(rows).insertAdjacentHTML("beforeend", html); // made by our own template
  total.value = Number(total.value) + 1;
  number(listOf(rows));
  listOf(rows).lastElementChild.querySelector("input:not([type=hidden]), select, textarea").focus();
}

function move(row, isUp) {
  if (isUp) row.previousElementSibling?.before(row);
  else row.nextElementSibling?.after(row);
  number(row.parentElement);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-row]");
  if (!button) return;
  if (button.dataset.row === "add") return add(button.closest(".rows"));
  move(button.closest(".row"), button.dataset.row === "up");
  button.focus();
});
