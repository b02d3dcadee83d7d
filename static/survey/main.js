// The run: which screen comes next, until the server says that there are no more trials.

import { Gallery, Outbox, Refusal, insist, tryNow } from "./network.js";
import { measureFrame, pick, present, setBlock, tell } from "./trial.js";

const $ = (id) => document.getElementById(id);
const config = JSON.parse($("config").textContent);

let plan = null;
let onstage = null; // the trial that is being shown
let awaited = null; // the trial whose images must come before the run can go on
let answered = new Set(); // numbers of the trials that have a response here
let changed = () => {}; // wakes whoever waits for a new plan

const feedbacks = new Map();

function show(id) {
  for (const name of ["waiting", "problem", "instructions", "stage"]) $(name).hidden = name !== id;
}

function count(ongoing) {
  const done = plan.done + outbox.items.length;
  $("progress").value = done;
  $("progress").max = plan.total;
  $("count").textContent = `${Math.min(done + ongoing, plan.total)} / ${plan.total}`;
}

const outbox = new Outbox(config.urls.responses, {
  stored(item, answer) {
    feedbacks.set(item.number, answer.feedback);
    take(answer);
    // Another tab was here before us: what is on the stage may be long past.
    if (answer.replayed && onstage && !answer.trials?.some((trial) => trial.number === onstage.number)) {
      location.reload();
    }
  },
  refused: refuse,
  trouble: (failing) => ($("offline").hidden = !failing),
});

const gallery = new Gallery((trial) => trial === awaited && complain());

/** A new plan from the server: load its images, wake the run. */
function take(answer) {
  plan = answer;
  gallery.expect(upcoming());
  changed();
}

function upcoming() {
  return (plan.trials ?? []).filter((trial) => !answered.has(trial.number));
}

const nextPlan = () => new Promise((resolve) => (changed = resolve));

/** The server will not take what was sent; its page knows what to say. */
function refuse(refusal) {
  if (!(refusal instanceof Refusal)) throw refusal;
  if (["withdrawn", "closed", "out_of_order"].includes(refusal.code)) location.reload();
  else complain(refusal.message);
}

function complain(message = "") {
  $("problem-server").textContent = message;
  $("problem-server").hidden = !message;
  $("problem-image").hidden = Boolean(message);
  $("again").onclick = message ? () => location.reload() : tryNow;
  show("problem");
}

/** Wait for something that is mostly there; the page says so when it takes longer than a blink. */
async function patiently(promise) {
  const timer = setTimeout(() => $("problem").hidden && show("waiting"));
  const value = await promise;
  clearTimeout(timer);
  return value;
}

async function instruct(block) {
  $("part-number").textContent = block.number + 1;
  $("instructions-text").innerHTML = block.instructions; // sanitised by the server
  show("instructions");
  $("instructions").querySelector("h1").focus();
  await pick([{ value: true, element: $("start"), keys: [" ", "enter"] }]);
}

async function runTrial(trial, block) {
  awaited = trial;
  const loaded = await patiently(gallery.get(trial));
  awaited = null;
  show("stage");
  count(1);
  $("announcement").textContent = $("count").textContent;
  onstage = trial;
  const response = await present(trial, block, loaded);
  onstage = null;
  answered.add(trial.number);
  outbox.add(trial.number, response);
  if (trial.wait_feedback) await giveFeedback(trial);
}

async function giveFeedback(trial) {
  while (!feedbacks.has(trial.number)) await nextPlan();
  const next = upcoming()[0];
  await tell(feedbacks.get(trial.number), trial.practice && next && !next.practice);
}

async function run() {
  const unsent = await outbox.resume();
  answered = outbox.numbers;
  if (unsent) await patiently(nextPlan());
  else take(config.plan ?? (await patiently(insist(config.urls.trials, null, outbox.trouble))));
  let blockNumber = null;
  while (plan.step === "trials") {
    const trial = upcoming()[0];
    if (!trial) {
      await patiently(nextPlan());
      continue;
    }
    const { block } = plan;
    if (block.number !== blockNumber) {
      blockNumber = block.number;
      setBlock(block);
      measureFrame();
      if (!block.started) await instruct(block);
    }
    await runTrial(trial, block);
  }
  location.replace(plan.url);
}

// A page that comes back from the history is older than the server's knowledge.
addEventListener("pageshow", (event) => event.persisted && location.reload());

run().catch(refuse);
