// Every text of the page, in English; a translation is another file like this one.

/** A job submitted from code, but for Python, whose words each kind has of its own. */
const submitting = (origin, body) => ({
  curl: `curl -X POST ${origin}/api/v1/jobs -H "Content-Type: application/json" \\
    -d '${JSON.stringify(body)}'`,
  js: `const job = await (await fetch("${origin}/api/v1/jobs", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(${JSON.stringify(body)}),
})).json();`,
});

export const text = {
  title: "ASL fingerspelling",
  brand: "ASL",
  menu: "Screens",
  skip: "Skip to the content",
  close: "Close",
  copy: "Copy",
  copied: "Copied",
  save: "Save",
  now: "just now",
  ago: (span) => `${span} ago`,
  theme: { label: "Switch between light and dark", light: "Light", dark: "Dark" },
  screens: { live: "Live", practice: "Practice", teach: "Teach", train: "Train", evaluate: "Evaluate", models: "Models", jobs: "Jobs", system: "System" },

  code: { title: "Do this from code", language: "Language" },

  camera: {
    NotAllowedError: ["The camera may not be used", "Allow it for this page in the browser's settings, or read a photograph below."],
    NotFoundError: ["No camera was found", "Plug one in, or read a photograph below."],
    NotReadableError: ["The camera is taken by another program, or was unplugged", "Close what uses it and start again."],
    NotSupportedError: ["This browser gives no camera to this page", "Open it as localhost or over https: browsers allow cameras only there. A photograph can be read below."],
    OverconstrainedError: ["The camera has no picture of a usable size", "Try another camera, or read a photograph below."],
    failed: (message) => `Hands cannot be found in this browser: ${message}`,
    failedHint: "It needs WebAssembly and WebGL 2. A photograph can be read below: that is done by the service.",
  },

  live: {
    title: "Live",
    lead: "Sign a letter of the alphabet: it is read as you hold it.",
    welcome: "Show one hand to the camera, as you would to somebody facing you.",
    start: "Start the camera",
    stop: "Stop",
    starting: "Starting the camera and the hand finder …",
    privacy: "The video stays in this browser: only 21 points of the hand are sent to this service.",
    video: "Your camera, mirrored",
    letter: "The letter read now",
    alternatives: "The likeliest letters",
    fps: "frames/s",
    landmarksMs: "finding",
    roundTrip: "round trip",
    dropped: "passed over",
    connecting: "Connecting …",
    lost: "The connection is lost; trying again …",
    closed: {
      1013: "The service has no model to read with; see System.",
      4400: "This page and this service do not understand each other: load the page again.",
      4401: "The service asks for an API key: enter it under System.",
      4403: "This key, or this page's address, may not read live.",
      4429: "Too many cameras are read at once; trying again …",
    },
    reasons: {
      no_hand: "No hand is seen. Show the whole hand, in good light.",
      not_a_letter: "A hand, but no letter that this model knows.",
      unsure: "Not sure: it may be one of these. Turn the hand to the camera, and hold it still.",
    },
    unsure: "Not sure yet: hold the hand still.",
    motion: (letter) => `${letter} is a movement; this is how it starts.`,
    sure: (share) => `Read with ${share} confidence.`,
    said: (letter) => `Letter ${letter}`,
    hand: { left: "Left hand", right: "Right hand" },
    noSide: "No hand",
    model: (version) => `model ${version}`,
    code: (origin, host) => ({
      curl: `curl -F "file=@sign.jpg" ${origin}/api/v1/asl/recognitions`,
      python: `from pathlib import Path

from asl.client import Client

with Client("${origin}") as client:
    print(client.recognize(Path("sign.jpg")).letter)`,
      js: `const socket = new WebSocket("ws://${host}/api/v1/asl/live", "asl.live.v1");
socket.onmessage = ({ data }) => console.log(JSON.parse(data));
socket.onopen = () => socket.send(JSON.stringify({
  type: "landmarks", seq: 1, landmarks, // 21 x [x, y, z] of MediaPipe
  image_width: 640, image_height: 480, handedness: "right",
}));`,
    }),
  },

  photo: {
    choose: "Read a photograph",
    drop: "Drop one here, or",
    reading: "Reading …",
    letter: (letter, share) => `${letter}, ${share} confidence`,
    samples: "Or try a drawn hand",
    sample: (letter) => `Drawn hand: ${letter}`,
    drawn: "These hands are nobody's: this project draws them. A photograph is sent to this service, read there, and not kept.",
  },

  word: {
    title: "The word being spelled",
    placeholder: "Hold a letter to add it",
    how: "Hold a letter until its ring closes. Let go before the same letter again. Take the hand away for a space.",
    space: "Space",
    backspace: "Delete",
    undo: "Undo",
    clear: "Clear",
    speak: "Speak",
    noVoice: "This machine has no English voice of its own; others would send the words away.",
    hold: "Hold for",
    fluent: "Read whole words, J and Z too",
    howFluent: "Spell as you would to a person; draw J and Z. Take the hand away at a word's end: then choose another word, where the one put down is not yours.",
    suggestions: "Words that may be meant",
  },

  practice: {
    title: "Practice",
    lead: "Copy the drawn hand. It says when you are right, and what to change when you are not.",
    lettersTitle: "Letters",
    lettersLead: (count) => `${count} letters in random order. J and Z are left out: they are movements.`,
    letters: "Start",
    wordTitle: "A word",
    wordLead: "Your name, perhaps: it is spelled letter by letter.",
    word: "Word to spell",
    spell: "Spell it",
    alphabet: "The alphabet",
    starts: "starts so, then moves",
    progress: (right, total) => `${right} of ${total} right`,
    seen: "seen:",
    stop: "Stop",
    skip: "Skip",
    show: (letter) => `Show ${letter}`,
    right: "Right!",
    none: "Show your hand to the camera.",
    hold: "That is it: hold it still.",
    alike: "Nearly: turn your hand a little, and hold it still.",
    marked: "What to move first is drawn in orange.",
    done: (right, total) => `${right} of ${total} letters right`,
    again: "Once more",
  },

  teach: {
    title: "Teach",
    lead: "A data set: photographs of each letter, by people whose names keep them apart.",
    oneLead: "Choose a letter, show it to the camera from several sides, and go on with the next.",
    steps: {
      title: "From your hands to a model that reads them",
      all: [
        "Name a data set above: say, after what it is for.",
        "Say who signs, choose a letter, and hold the button while you turn the hand: 30 photographs of a letter are a good start.",
        "Ask others to sign, too, each under a name of their own: a model reads new people only as well as it has seen different ones.",
        "Press Train, then look under Evaluate whom and what it misreads.",
        "Promote the model, and Live reads with it.",
      ],
    },
    make: "A new data set",
    name: "Its name",
    makeIt: "Make it",
    summary: (n, letters, signers) => `${n} photographs · ${letters} letters · ${signers} ${signers === 1 ? "signer" : "signers"}`,
    letters: "Letters",
    unit: "photographs",
    signer: "Who signs",
    signerName: "Name",
    train: "Train on these",
    hints: {
      oneLetter: "At least two letters are needed to train.",
      oneSigner: "One signer alone tells nothing about others: more people help more than more photographs.",
      noSigner: (n) => `${n} photographs name no signer; they count as one group.`,
      few: (letters, enough) => `Fewer than ${enough} photographs: ${letters}`,
      fewSigners: (n) => `Only ${n} signers: people differ more than photographs of one do.`,
      lonely: (letters) => `Shown by one signer only: ${letters}`,
      uneven: (most, least) => `Uneven: ${most} photographs of one letter, ${least} of another. Class weights help, more photographs help more.`,
    },
    fromCamera: "From the camera",
    fromCameraLead: "Choose a letter above and say who signs. Frames without a hand are not taken.",
    fromFiles: "From files",
    fromFilesLead: "Folders named after letters, within folders named after signers if there are several people. Archives are read the same way.",
    folder: "Choose a folder",
    files: "Choose files",
    drop: "Drop a folder here, or",
    dropFiles: (letter) => (letter ? `Photographs of ${letter}, or archives` : "Archives; photographs once a letter is chosen"),
    uploaded: (added, there, refused) => `${added} added · ${there} were there already · ${refused} refused`,
    refusedFiles: "What was refused",
    needsLetter: "Choose a letter first.",
    needsSigner: "Say who signs first: that keeps people apart when a model is judged.",
    ready: (letter) => `A hand is seen. Show ${letter}, and turn it a little meanwhile.`,
    hold: (letter) => `Hold to take ${letter}`,
    burst: (n) => `3-2-1, take ${n}`,
    taken: "taken",
    refused: "without a hand",
    sent: "These photographs are sent to this service and kept there, in this data set.",
    photographs: (letter) => (letter ? `Photographs of ${letter}` : "Photographs"),
    noPhotographs: "None yet.",
    keys: "Arrow keys move; a letter key gives another letter (X with Shift); x, Delete or a click leaves a photograph out, or takes it in again.",
    points: "Draw the hand's points",
    unseen: "no hand seen",
    by: "By",
    nobody: "nobody known",
    alike: "These look alike. Come closer, go back, turn the hand and move it about: what differs teaches most.",
    photograph: (state, signer) => ` ${state}${signer ? `, ${signer}` : ""}`,
    show: "Show",
    states: { "": "all", new: "new", found: "hand found", no_hand: "no hand", unreadable: "unreadable", excluded: "left out" },
    code: (origin, name, letter) => ({
      curl: `curl -X POST ${origin}/api/v1/datasets -H "Content-Type: application/json" -d '{"name": "${name}"}'
curl -F "file=@sign.jpg" -F label=${letter} -F signer=ann ${origin}/api/v1/datasets/${encodeURIComponent(name)}/samples`,
      python: `from pathlib import Path

from asl.client import Client

with Client("${origin}") as client:
    client.datasets.create("${name}")
    client.datasets.upload_folder("${name}", Path("photographs"))  # SIGNER/LETTER/*.jpg`,
      js: `const form = new FormData();
form.append("file", file);
form.append("label", "${letter}");
form.append("signer", "ann");
await fetch("${origin}/api/v1/datasets/${encodeURIComponent(name)}/samples", { method: "POST", body: form });`,
    }),
  },

  train: {
    title: "Train",
    lead: "A model from a data set. Hands are found first where they were not; that is done once.",
    none: "There is no data set yet: make one first.",
    dataset: "Data set",
    start: "Train",
    describe: (letters, signers) => `${letters} letters, ${signers} ${signers === 1 ? "signer" : "signers"}${signers === 1 ? ": validation will be on the same person" : ", kept apart in validation"}.`,
    advanced: (n) => (n ? `Options (${n} changed)` : "Options"),
    unset: { train_rows_per_class: "all", temperature: "fitted", test_rows_per_class: "all" },
    recent: "Trainings and tunings",
    best: (share) => `validation ${share}`,
    closable: "It goes on when this page is closed, and is found here again.",
    first: (title) => `First: ${title}`,
    accuracy: "Accuracy",
    loss: "Loss",
    epoch: "Epoch",
    training: "Training",
    validation: "Validation",
    now: (epoch, share, rate) => `Epoch ${epoch}: validation ${share}, learning rate ${rate}`,
    said: (title, epoch, train, val) => `${title}, epoch ${epoch}: training ${train}, validation ${val}`,
    made: (version, epoch, share) => `Made ${version}: the best epoch was ${epoch}, with ${share} in validation.`,
    toModel: "Evaluate it, and have it read live",
    harder: "The training's own figure is of hands that were turned and stretched, with dropout: it may well be the lower one.",
    honest: "The epoch was chosen by this figure, so it flatters. Evaluate the model on people whom it never saw.",
    code: (origin, body) => ({
      ...submitting(origin, body),
      python: `from asl.client import Client
from asl.contracts import FeaturesRef, TrainingOptions, TrainingRequest

with Client("${origin}") as client:
    job = client.jobs.submit(TrainingRequest(
        data=(FeaturesRef(dataset="${body.data[0].dataset}"),),
        options=TrainingOptions.model_validate_json('${JSON.stringify(body.options)}'),
    ))
    for event in client.jobs.watch(job.id):
        print(event.kind, event.data)`,
    }),
  },

  tuning: {
    title: "Find better options",
    lead: "Tries learning rates, dropouts and networks. Each is judged on people whom it was not trained on, so what wins reads new signers best.",
    cost: (trials, signers, epochs) => `${trials} trials at most, each a training of ${epochs} epochs for every one of ${signers} signers left out.`,
    needsSigners: "It needs photographs by two signers at least: one trains, the other is read.",
    start: "Tune",
    advanced: "What is tried",
    best: (share, isOver) => `${isOver ? "Best" : "Best so far"}: ${share} of new signers' hands`,
    settings: ({ learning_rate: rate, dropout, hidden_sizes: sizes }) => `learning rate ${rate.toPrecision(2).replace(/\.?0+$/, "")}, dropout ${dropout.toPrecision(2)}, network ${sizes.join("-")}`,
    worst: (group, share) => `worst signer: ${group}, ${share}`,
    train: "Train with the best options",
    history: "Trials in their order",
    bestSoFar: "best so far",
    trial: "trial",
    said: (n, share) => `${n} trials ended; the best has ${share}`,
    trials: "All trials",
    trialsLead: "The mean is over signers, each counting the same; the worst is the signer read least well. A trial that cannot win any more is given up early.",
    columns: ["Trial", "Mean", "Worst signer", "Learning rate", "Dropout", "Network", ""],
    states: { complete: "judged", running: "at work", pruned: "given up" },
    summary: (n, share) => `${n} trials, best ${share}`,
    code: (origin, body) => ({
      ...submitting(origin, body),
      python: `from asl.client import Client
from asl.contracts import FeaturesRef, TrainingOptions, TuningOptions, TuningRequest

with Client("${origin}") as client:
    job = client.jobs.submit(TuningRequest(
        data=(FeaturesRef(dataset="${body.data[0].dataset}"),),
        options=TrainingOptions.model_validate_json('${JSON.stringify(body.options)}'),
        tuning=TuningOptions.model_validate_json('${JSON.stringify(body.tuning)}'),
    ))
    print(client.jobs.wait(job.id).result["flags"])`,
    }),
  },

  advice: {
    title: "What to do next",
    codes: {
      unbalanced: "Unbalanced letters", few_rows: "Too few photographs", missing_letters: "Letters missing", one_signer: "One signer",
      no_signers: "No signers named", one_signers_letters: "Letters of one signer", near_duplicates: "Nearly the same photographs",
      rarely_found: "Hands not found", overfitting: "Overfitting", underfitting: "Underfitting", unfinished: "Not finished learning",
      rarely_read: "Letters read badly", weak_group: "A signer read badly", overconfident: "Too sure of itself",
    },
  },

  evaluate: {
    title: "Evaluate",
    lead: "How well a model reads people: each signer, each letter, and how honest its confidence is.",
    needs: "An evaluation needs a model that was trained or imported here, and a data set with photographs.",
    model: "Model",
    on: "On",
    advice: "Choose people whom the model never saw: on those that it was trained on, the figures only flatter.",
    none: "Nothing was evaluated yet.",
    summary: (share, n) => `${share} of ${n} rows`,
    of: (model, data) => (data ? `${model} on ${data}` : model),
    two: (one, other) => `${one}, beside ${other}`,
    rows: (n, when) => `${n} rows, ${when}.`,
    beside: "Beside it",
    nothing: "nothing",
    figures: {
      accuracy: "Accuracy", unseen: "Never seen", still: "Without J and Z", top3: "Among the top 3", macroF1: "Macro F1",
      worst: "Worst signer", calibration: "Calibration error",
    },
    figure: "Figure",
    difference: "Difference",
    comparison: "Both evaluations, figure by figure",
    f1: (letter) => `F1 of ${letter}`,
    otherData: "These are not the same rows: the figures cannot be compared as they stand.",
    signers: "Accuracy by signer, the worst first",
    noSigners: "The photographs name no signers, so nothing is known of new ones.",
    trainedOn: "trained on",
    letters: "F1 by letter, the worst first",
    letter: (precision, recall) => `Precision ${precision}, recall ${recall}`,
    matrix: "Confusions",
    matrixLead: "Rows: the letter that was shown. Columns: what was answered. Press a number to see its photographs.",
    cell: (letter, answer, n) => (letter === answer ? `${letter} read rightly: ${n}` : `${letter} read as ${answer}: ${n}`),
    cellTitle: (letter, answer) => (letter === answer ? `${letter}, read rightly` : `${letter}, read as ${answer}`),
    shown: (n, total) => (n === total ? (n === 1 ? "One photograph." : `${n} photographs, the surest answers first.`) : `Photographs of ${n} of ${total} rows, the surest answers first. The others were removed since, are more than fit here, or came as landmarks.`),
    reliability: "Is it as right as it is sure?",
    reliabilityLead: (error) => `On the broken line it would be. Red is the gap, ${error} on average (the calibration error); pale bars hold few answers.`,
    reliabilitySaid: (error, bins) => `Reliability diagram, calibration error ${error}. ${bins.join(". ")}`,
    bin: (confidence, right, n) => `${confidence} sure, ${right} right, ${n} answers`,
    confidence: "sure, %",
    right: "right, %",
    notices: "What the figures do not tell",
    files: "Files of this evaluation",
    code: (origin, model, dataset, job) => ({
      curl: `curl -X POST ${origin}/api/v1/jobs -H "Content-Type: application/json" \\
    -d '{"kind": "evaluation", "model": {"id": "${model}"}, "data": [{"dataset": "${dataset}"}]}'
curl -OJ ${origin}/api/v1/jobs/${job}/artifacts/report.json
curl -OJ ${origin}/api/v1/jobs/${job}/artifacts/answers.jsonl   # a line for each row`,
      python: `from asl.client import Client
from asl.contracts import EvaluationRequest, FeaturesRef, ModelRef

with Client("${origin}") as client:
    job = client.jobs.submit(EvaluationRequest(
        model=ModelRef(id="${model}"), data=(FeaturesRef(dataset="${dataset}"),),
    ))
    print(client.jobs.wait(job.id).result)`,
      js: `const path = "${origin}/api/v1/jobs/${job}/artifacts";
const report = await (await fetch(\`\${path}/report.json\`)).json();
console.log(report.all_rows.accuracy, report.confusion_matrix);`,
    }),
  },

  models: {
    title: "Models",
    lead: "Every model that was trained or imported here. The one in production reads for Live, Practice and the API.",
    number: (n) => `Model ${n}`,
    none: "No model was trained here yet; the one that comes with the package answers.",
    answers: (version) => `${version} answers`,
    aliases: { production: "in production", candidate: "candidate" },
    summary: (share, letters) => `validation ${share} · ${letters} letters`,
    promote: "Promote to production",
    promoted: (n) => `Model ${n} is in production, and answers within seconds.`,
    tryLive: "Try it live",
    rollback: "Back to the model before",
    refused: (n) => `Model ${n} was not promoted`,
    reason: "Why it is promoted all the same",
    force: "Promote all the same",
    history: "In production",
    by: (name) => `by ${name}`,
    forced: "although the gate refused",
    download: (size) => `Download (.pt, ${size})`,
    export: "Export to ONNX",
    letters: "Letters",
    validation: "Validation",
    from: "Made by",
    sources: { training: "a training", import: "an import" },
    evaluations: "Evaluations",
    notEvaluated: "Not evaluated yet. Evaluate it on people whom it never saw.",
    columns: ["When", "Rows", "Accuracy", "Never seen", "Macro F1", "Worst signer"],
    unknown: "unknown",
    on: "On",
    evaluate: "Evaluate",
    card: "Model card",
    code: (origin, id, number) => ({
      curl: `curl ${origin}/api/v1/models
curl -X PUT ${origin}/api/v1/models/aliases/production -H "Content-Type: application/json" \\
    -H 'If-Match: "0"' -d '{"model": "${id}"}'`,
      python: `from asl.client import Client

with Client("${origin}") as client:
    model = client.models.get(${number})
    client.models.promote(model.id)`,
      js: `const path = "${origin}/api/v1/models/aliases/production";
const etag = (await fetch(path)).headers.get("ETag") ?? '"0"';
await fetch(path, {
  method: "PUT",
  headers: { "Content-Type": "application/json", "If-Match": etag },
  body: JSON.stringify({ model: "${id}" }),
});`,
    }),
  },

  jobs: {
    title: "Jobs",
    lead: "All long work, the newest first.",
    all: "all",
    state: "State",
    kind: "Kind",
    states: { waiting: "waiting", queued: "queued", running: "at work", cancelling: "stopping", succeeded: "done", failed: "failed", cancelled: "cancelled" },
    kinds: { extraction: "Extraction", training: "Training", tuning: "Tuning", evaluation: "Evaluation", export: "Export", model_import: "Import of a model", probe: "Probe" },
    none: "No job fits.",
    more: "More",
    position: (n) => (n ? `${n} before it in its queue` : "Next in its queue; is a worker there? See System."),
    waits: "It waits for the jobs that it needs.",
    rate: (rate, unit) => `${rate} ${unit}/s`,
    left: (span) => `${span} left`,
    cancel: "Cancel",
    retry: "Try again",
    resume: "Go on from the last checkpoint",
    files: "Files",
    checkpoints: (n) => `Checkpoints (${n})`,
    log: (n) => `Log (${n} lines)`,
    facts: (when, attempt, took) => `Asked for ${when}${attempt > 1 ? ` · attempt ${attempt}` : ""}${took ? ` · took ${took}` : ""}`,
    curves: "See its curves",
    trials: "See its trials",
    findings: "See what was found",
    needs: "Needs",
    asked: "What was asked for",
    result: "What it came to",
    code: (origin) => ({
      curl: `curl "${origin}/api/v1/jobs?state=failed"`,
      python: `from asl.client import Client

with Client("${origin}") as client:
    for job in client.jobs.list():
        print(job.kind, job.state)`,
      js: `const { items } = await (await fetch("${origin}/api/v1/jobs")).json();`,
    }),
    oneCode: (origin, id) => ({
      curl: `curl ${origin}/api/v1/jobs/${id}
curl -N ${origin}/api/v1/jobs/${id}/events`,
      python: `from asl.client import Client

with Client("${origin}") as client:
    for event in client.jobs.watch("${id}"):
        print(event.kind, event.data)`,
      js: `const events = new EventSource("${origin}/api/v1/jobs/${id}/events");
events.addEventListener("progress", ({ data }) => console.log(JSON.parse(data)));`,
    }),
  },

  system: {
    title: "System",
    lead: "How each part of the service is, looked at every few seconds.",
    status: { ready: "Everything is at work.", degraded: "Letters are read. Something that jobs need is missing." },
    parts: "Parts",
    ok: "There",
    missing: "Missing",
    names: {
      classifier: "Classifier", landmarker: "Hand landmarker", database: "Database", storage: "Store",
      "worker-cpu": "Worker for processors", "worker-gpu": "Worker for GPUs", dispatcher: "Dispatcher", broker: "Broker",
    },
    classifier: "Who answers",
    sources: { starter: "the model that comes with the package", production: "the model in production", path: "a file of the operator's" },
    reads: (letters) => `Reads ${letters}`,
    key: "API key",
    keyHint: "Only where the service asks for one; it stays in this browser. The operator makes one with: asl key create NAME",
    code: (origin) => ({
      curl: `curl ${origin}/readyz\ncurl ${origin}/api/v1/asl/model`,
      python: `import httpx

print(httpx.get("${origin}/readyz").json())`,
      js: `const ready = await (await fetch("${origin}/readyz")).json();`,
    }),
  },
};
