/**
 * Opens everything the Aggregator keeps in its SQLite, and its connections to the external stores.
 */
import type { NeverConnected } from "../../protocol/api/fleet.ts";
import { StoreDeliveries } from "../export/deliveries.ts";
import { DeliveryStates } from "../export/delivery-states.ts";
import { openExternalStores } from "../export/external-stores.ts";
import { HeldRequests } from "../export/held-requests.ts";
import { openOtlpSinks } from "../export/otlp/sinks.ts";
import { Outbox } from "../export/outbox.ts";
import { admissionOf, type BoxAdmission, neverConnected } from "../joining/joined-box.ts";
import { keyNameOf } from "../keys/names.ts";
import { RepositoryCopy } from "../repository/copy.ts";
import { LocalRepository } from "../repository/local.ts";
import { ModelRepository } from "../repository/model-repository.ts";
import { PostgresRepository } from "../repository/postgres.ts";
import { SharedRepository } from "../repository/shared.ts";
import { inForce, type Settings } from "../settings.ts";
import { VERSION } from "../version.ts";
import { Alerts } from "./alerts.ts";
import { AuditLog } from "./audit-log.ts";
import { BenchRuns } from "./bench-runs.ts";
import { Bypasses } from "./bypasses.ts";
import { CellStore } from "./cells.ts";
import { EnergyHours } from "./energy-hours.ts";
import { Epochs } from "./epochs.ts";
import { Erasure } from "./erasure.ts";
import { EventStore } from "./events.ts";
import { Forgotten } from "./forgotten.ts";
import { Intake } from "./intake.ts";
import { IssuedKeys } from "./issued-keys.ts";
import { JoinedBoxes } from "./joined-boxes.ts";
import { KeyHours } from "./key-hours.ts";
import { LearnedTimes } from "./learned-times.ts";
import { Ledger } from "./ledger.ts";
import { ListedRequests } from "./listed-requests.ts";
import { ModelMemory } from "./model-memory.ts";
import { Moves } from "./moves.ts";
import { Notifier } from "./notifier.ts";
import { observedNow } from "./observed.ts";
import { PinStore } from "./pins.ts";
import { RecentCalls } from "./recent-calls.ts";
import { Registry } from "./registry.ts";
import { RunTimeSettingsStore } from "./run-time-settings.ts";
import { SampleStore } from "./samples.ts";
import { migrate } from "./schema.ts";
import { SealKeys } from "./seal-keys.ts";
import { ServedDigest } from "./served-digest.ts";
import { Tariffs } from "./tariffs.ts";
import { ThresholdRuleStore } from "./threshold-rules.ts";
import { UntrustedCounts } from "./untrusted.ts";
import type { BoxTrust } from "./vetting.ts";
import { noteSummaries } from "./weekly-summaries.ts";

export type AggregatorStores = {
  /** When this object's storage was created, unix ms. */
  createdAtMs: number;
  cells: CellStore;
  keyHours: KeyHours;
  ledger: Ledger;
  erasure: Erasure;
  samples: SampleStore;
  energyHours: EnergyHours;
  outbox: Outbox;
  deliveryStates: DeliveryStates;
  deliveries: StoreDeliveries;
  registry: Registry;
  served: ServedDigest;
  events: EventStore;
  notifier: Notifier;
  alerts: Alerts;
  listedRequests: ListedRequests;
  bypasses: Bypasses;
  recentCalls: RecentCalls;
  epochs: Epochs;
  settings: RunTimeSettingsStore;
  thresholds: ThresholdRuleStore;
  tariffs: Tariffs;
  audit: AuditLog;
  localRepository: LocalRepository;
  /** The repository in Postgres; null when this object holds the repository itself. */
  sharedRepository: SharedRepository | null;
  /** Whichever of the two holds the repository. */
  repository: ModelRepository;
  intake: Intake;
  learned: LearnedTimes;
  held: HeldRequests;
  moves: Moves;
  sealKeys: SealKeys;
  issuedKeys: IssuedKeys;
  joined: JoinedBoxes;
  untrusted: UntrustedCounts;
  benchRuns: BenchRuns;
  memory: ModelMemory;
  pins: PinStore;
  /** Returns the grounds on which to judge the reports of a box. */
  trustOf(box: string): BoxTrust;
  /** Returns how a box may connect. */
  admissionOf(box: string): BoxAdmission;
  /** Returns the boxes that may connect and have not. */
  neverConnected(): NeverConnected[];
  /** Forgets a box until it connects again. */
  forgetBox(box: string): void;
};

export function openStores(
  storage: DurableObjectStorage,
  deployed: Settings,
  nowMs: number,
): AggregatorStores {
  const external = deployed.stores;
  const createdAtMs = migrate(storage, nowMs);
  const cells = new CellStore(storage.sql);
  const keyHours = new KeyHours(storage.sql, nowMs);
  const { retention } = deployed;
  const ledger = new Ledger(storage.sql, new Forgotten(storage.sql), undefined, retention);
  const samples = new SampleStore(storage.sql, retention.samplesMs);
  const tariffs = new Tariffs(storage);
  const energyHours = new EnergyHours(storage.sql, () => tariffs.currency());
  const issuedKeys = new IssuedKeys(storage);
  const audit: AuditLog = new AuditLog(
    storage.sql,
    (id) => keyNameOf(id, (each) => issuedKeys.get(each)),
    (_, atMs) => outbox.addAudit(atMs),
    retention.auditMs,
  );
  const outbox: Outbox = new Outbox(storage.sql, { ledger, samples, energy: energyHours, audit });
  const deliveryStates = new DeliveryStates(storage.sql);
  const deliveries = new StoreDeliveries(storage, {
    stores: [
      ...openExternalStores(external.configured),
      ...openOtlpSinks(external.otlp, () => ({
        cells: intake.lifetime(),
        sinceMs: epochs.clearedMs("metrics") ?? createdAtMs,
        atMs: Date.now(),
        simulatedBoxes: new Set(
          registry.boxes().flatMap(({ name, hello }) => (hello.simulated ? [name] : [])),
        ),
      })),
    ],
    outbox,
    states: deliveryStates,
  });
  const epochs = new Epochs(storage.sql);
  const settings = new RunTimeSettingsStore(storage.sql);
  const registry = new Registry(storage, { samples, outbox, energyHours, tariffs });
  const events = new EventStore(storage.sql, retention.eventsMs);
  events.noteVersion(VERSION, nowMs);
  const erasure = new Erasure(
    storage,
    ledger,
    () => inForce(deployed, settings.get()).logContent === "off",
  );
  const localRepository = new LocalRepository(storage);
  const held = new HeldRequests(storage.sql, outbox);
  const learned: LearnedTimes = new LearnedTimes(ledger, () => intake.lifetime());
  const moves = new Moves(storage.sql);
  const bypasses = new Bypasses();
  const recentCalls = new RecentCalls(ledger);
  const intake: Intake = new Intake(
    storage,
    {
      ledger,
      cells,
      keyHours,
      epochs,
      outbox,
      held,
      moves,
      repository: localRepository,
      observers: [learned, events, bypasses, recentCalls],
    },
    nowMs,
  );
  const sharedRepository =
    external.configured.postgres === null
      ? null
      : new SharedRepository(
          new RepositoryCopy(storage),
          new PostgresRepository(external.configured.postgres),
        );
  const repository = new ModelRepository(sharedRepository ?? localRepository, () => ({
    boxes: registry.boxes(),
    lifetime: intake.lifetime(),
    nowMs: Date.now(),
  }));
  const sealKeys = new SealKeys(storage.sql);
  const joined = new JoinedBoxes(storage.sql);
  const untrusted = new UntrustedCounts(storage.sql);
  const pins = new PinStore(storage.sql);
  const notifier = new Notifier(storage.sql, deployed.peppers);
  const observe = () =>
    observedNow(stores, inForce(deployed, settings.get()).enableInstrumentation);
  const summarize = (atMs: number) => noteSummaries(stores, atMs);
  const boxes = () => registry.boxes();
  const stores: AggregatorStores = {
    createdAtMs,
    cells,
    keyHours,
    ledger,
    erasure,
    samples,
    energyHours,
    outbox,
    deliveryStates,
    deliveries,
    registry,
    served: new ServedDigest(storage.kv),
    events,
    notifier,
    alerts: new Alerts(storage, { events, notifier, boxes, observe, summarize }, nowMs),
    listedRequests: new ListedRequests(),
    bypasses,
    recentCalls,
    epochs,
    settings,
    thresholds: new ThresholdRuleStore(storage.sql),
    tariffs,
    audit,
    localRepository,
    sharedRepository,
    repository,
    intake,
    learned,
    held,
    moves,
    sealKeys,
    issuedKeys,
    joined,
    untrusted,
    benchRuns: new BenchRuns(storage.sql),
    memory: new ModelMemory(storage.sql),
    pins,
    trustOf: (box) => ({
      box,
      keys: sealKeys.accepted(Date.now()),
      sealedSinceMs: registry.sealedSinceMs(box),
      powerLimitW: registry.powerLimitW(box),
    }),
    admissionOf: (box) =>
      admissionOf(joined.of(box), {
        isSecretBox: deployed.boxSecrets.has(box),
        isOpen: deployed.authMode === "open",
      }),
    neverConnected: () =>
      neverConnected(
        joined.inForce(),
        deployed.boxSecrets.keys(),
        new Set(registry.boxes().map(({ name }) => name)),
      ),
    forgetBox: (box) => {
      untrusted.forget(box);
      pins.forgetBox(box);
      registry.forget(box, Date.now());
      learned.forgetBox(box);
      bypasses.forgetBox(box);
    },
  };
  return stores;
}
