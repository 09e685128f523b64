// Todos los textos en español.
import { advice, evaluate } from "./evaluate.js";
import { jobs } from "./jobs.js";
import { camera, live, photo, word } from "./live.js";
import { models } from "./models.js";
import { practice } from "./practice.js";
import { service } from "./service.js";
import { shell } from "./shell.js";
import { system } from "./system.js";
import { teach } from "./teach.js";
import { train, tuning } from "./train.js";

export const text = { ...shell, advice, camera, evaluate, jobs, live, models, photo, practice, service, system, teach, train, tuning, word };
