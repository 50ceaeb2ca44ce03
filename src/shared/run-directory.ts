/**
 * The names inside a run directory (0700): the truth of a run. Paths are relative, with `/`.
 * docs/architecture.md shows the tree.
 */
export const RUN = {
  plan: 'plan.json',
  events: 'events.jsonl',
  lock: 'lock',
  control: 'control',
  /** Its presence asks the agent to stop: {@link stopRequestSchema}. Put in place by rename. */
  stopRequest: 'control/stop.json',
  private: 'private',
  inbox: 'private/inbox',
  /** The key that what lies in the inbox is sealed to: {@link inboxKeySchema}. */
  inboxKey: 'control/inbox-key.json',
  /** The port at which workers ask for tokens, kept over the life of an agent: the environment of those that run names it. */
  tokenPort: 'control/token-port.json',
  /** Path of the worker's key folder on the memory file system, for the sweep after a crash. */
  keyFolderRecord: 'private/key-folder.json',
  /** What the Jupyter of a notebook runs with: {@link notebookServerSchema} in `server.json`, its configuration, its own run-time files. */
  notebook: 'private/notebook',
  notebookServer: 'private/notebook/server.json',
  /** A page that leads a browser to the notebook: its address, which a command line would show to every user, is inside. */
  notebookPage: 'private/notebook/open.html',
  code: 'code',
  data: 'data',
  workers: 'workers',
  output: 'output',
  checkpoints: 'checkpoints',
  logs: 'logs',
  stageLog: 'logs/stage.log',
  agentLog: 'logs/agent.log',
  /** GPU and machine samples, one JSON object a line: {@link sampleSchema}. */
  samples: 'logs/samples.jsonl',
  /** Journals of transfers, so that a restart resumes. */
  journals: 'journals',
  manifest: 'manifest.json',
} as const;

export const workerFolder = (worker: number): string => `${RUN.workers}/${worker}`;
/** The worker's own copy of the code, its working directory. */
export const workerCode = (worker: number): string => `${workerFolder(worker)}/code`;
/** The supervisor's process: written by the agent before the supervisor may start the worker. */
export const workerPid = (worker: number): string => `${workerFolder(worker)}/pid.json`;
/** The worker's process, written by its supervisor: {@link workerStartedSchema}. */
export const workerStarted = (worker: number): string => `${workerFolder(worker)}/started.json`;
/** How it ended, written by its supervisor: {@link workerExitSchema}. */
export const workerExit = (worker: number): string => `${workerFolder(worker)}/exit.json`;
/** What its supervisor saw of its processes that do not name the run themselves: {@link workerFamilySchema}. */
export const workerFamily = (worker: number): string => `${workerFolder(worker)}/family.json`;
/** What was left of it when its command had ended: {@link workerLeftSchema}. */
export const workerLeft = (worker: number): string => `${workerFolder(worker)}/left.json`;
export const workerOutput = (worker: number): string => `${RUN.output}/worker-${worker}`;
export const workerLog = (worker: number): string => `${RUN.logs}/worker-${worker}.log`;

/** In the folder of a key file on a memory disk: a file that holds the path of its run's directory. */
export const KEY_FOLDER_RUN = 'run';
