/**
 * The Prometheus alerts. `rules.ts` writes them to prometheus_rules.yml.
 *
 * Thresholds come from `protocol/concerns.ts`, which also names the alert of each concern, or gives the
 * reason why a concern has none. ServiceDown is the only alert without a concern: an edge that is down
 * cannot report itself.
 *
 * Three rules hold for all of them:
 * - Without traffic a ratio is 0/0 and a quantile has no data. Both are NaN, which is not greater than
 *   anything, so nothing fires.
 * - A simulated box (`ollama_box_simulated` is 1) raises no alert: its numbers are made up, and it may be
 *   stopped at any time. The totals and the latency count its requests like any others, so do not mix
 *   simulated and real boxes on one Worker that is monitored.
 * - `service` is for routing and dashboards, which also see the alerts of other systems.
 */
import { CONCERNS, type ConcernCode } from "../protocol/concerns.ts";
import { type Alert, lasting, UNLESS_SIMULATED } from "./alert.ts";
import { type MadeAlertName, madeAlerts } from "./made-alerts.ts";

/** The alerts that concerns name, and ServiceDown. */
type AlertName = Exclude<(typeof CONCERNS)[ConcernCode]["alert"], null> | "ServiceDown";

const ERROR_RATE = CONCERNS.error_rate_high.severity.above.critical;
const LATENCY_P95_MS = CONCERNS.latency_high.severity.above.warning;
const BACKLOG = CONCERNS.store_behind.severity.above.warning;
const GPU_C = CONCERNS.gpu_hot.severity.above.warning;

const WRITTEN: Record<Exclude<AlertName, MadeAlertName>, Alert> = {
  HighErrorRate: {
    comment: [
      "A share of the requests, not errors a second: ten errors a minute are nothing at a thousand",
      "requests and everything at ten. The rate forgets after 5 minutes and `for` requires 5, so one",
      "failed request in a quiet night wakes nobody.",
    ],
    expr: [
      "sum by (instance) (rate(ollama_errors_total[5m]))",
      `/ sum by (instance) (rate(ollama_requests_total[5m])) > ${ERROR_RATE}`,
    ],
    for: lasting("error_rate_high"),
    severity: "critical",
    summary: "{{ $value | humanizePercentage }} of the requests fail",
    description: [
      "{{ $value | humanizePercentage }} of the requests to {{ $labels.instance }} in the last 5 minutes",
      `failed; the limit is ${100 * ERROR_RATE}%.`,
      "See /api/stats/logs?status=error: failed_at names the part that failed (gateway, tunnel or ollama), and",
      "error_message gives the reason.",
    ],
  },
  HighLatency: {
    comment: [
      "A quantile over all models, from buckets with edges at 2.5 and 5 s: near the limit it is an estimate.",
    ],
    expr: [
      "histogram_quantile(0.95, sum by (instance, le) (rate(ollama_request_latency_ms_bucket[5m])))",
      `> ${LATENCY_P95_MS}`,
    ],
    for: lasting("latency_high"),
    severity: "warning",
    summary: 'One request in 20 takes more than {{ $value | printf "%.0f" }} ms',
    description: [
      "The 95th percentile of request latency at {{ $labels.instance }} is",
      `{{ $value | printf "%.0f" }} ms; the limit is ${LATENCY_P95_MS} ms.`,
      "Queue wait, load time, time to first token and time per output token on the dashboard show which phase is slow:",
      "add a box or parallel slots, keep the model loaded for longer, or use a smaller one. Long answers take long:",
      "if they are normal here, raise the limit.",
    ],
  },
  ServiceDown: {
    comment: ["`up` covers the Worker alone. BoxDown covers the boxes."],
    expr: ['up{job="ollama"} == 0'],
    for: "1m",
    severity: "critical",
    summary: "{{ $labels.instance }} cannot be scraped",
    description: [
      "Prometheus gets no metrics from {{ $labels.instance }}: the Worker is down, cannot be reached, or",
      "refuses the key. The Targets page of Prometheus shows the error. GET /healthz, which needs no key,",
      "shows whether the Worker is alive.",
    ],
  },
  BoxDown: {
    comment: ["Two minutes, because deploying the Worker cuts every tunnel for a moment."],
    expr: [`ollama_box_up == 0 ${UNLESS_SIMULATED}`],
    for: lasting("box_down"),
    severity: CONCERNS.box_down.severity,
    summary: "Box {{ $labels.box }} is down",
    description: [
      "The agent of box {{ $labels.box }} has not been connected for 2 minutes, so none of its models can be called.",
      "On the box, run `systemctl status ollama-edge-agent`, then `journalctl -u ollama-edge-agent`;",
      "`--check` of the agent shows what works.",
    ],
  },
  SinkBehind: {
    comment: [
      "A store that keeps up empties its outbox every few seconds, so its backlog falls between some two",
      "scrapes. A backlog that did not fall for 5 minutes is not being delivered, however small it is. A store",
      "that is merely too slow falls now and then and still grows: the second half covers it.",
    ],
    expr: [
      "(ollama_sink_backlog_records > 0 and resets(ollama_sink_backlog_records[5m]) == 0)",
      `or ollama_sink_backlog_records > ${BACKLOG}`,
    ],
    for: lasting("store_behind"),
    severity: "warning",
    summary: '{{ $value | printf "%.0f" }} records are waiting for {{ $labels.sink }}',
    description: [
      '{{ $value | printf "%.0f" }} records are waiting for {{ $labels.sink }}, and it is not catching up.',
      "Nothing is lost yet: they are delivered when it answers again. Check that it is up, has free space,",
      "and accepts its credentials.",
    ],
  },
  RecordsLost: {
    comment: [
      "The counter starts at 0 with every start of the agent, so every increase is a loss. It fires at once,",
      "because waiting changes nothing, and stays for an hour, so that somebody sees it.",
    ],
    expr: [`increase(ollama_agent_lost_records_total[1h]) > 0 ${UNLESS_SIMULATED}`],
    for: lasting("records_lost"),
    severity: CONCERNS.records_lost.severity,
    summary: "Box {{ $labels.box }} lost the records of finished requests",
    description: [
      "The agent of box {{ $labels.box }} lost the records of about",
      '{{ $value | printf "%.0f" }} finished requests within the last hour: its state folder could not be',
      "written for longer than its memory holds, or could not be read. They are permanently missing from",
      "the totals and the log. On the box, check whether the disk is full or read-only (`df`,",
      "`journalctl -u ollama-edge-agent`).",
    ],
  },
  GpuLost: {
    comment: [
      "A driver that is being updated fails for a moment. A GPU that fell off the bus does not come back.",
    ],
    expr: [`ollama_gpu_up == 0 ${UNLESS_SIMULATED}`],
    for: lasting("gpu_lost"),
    severity: CONCERNS.gpu_lost.severity,
    summary: "GPU {{ $labels.gpu }} of box {{ $labels.box }} cannot be read",
    description: [
      "GPU {{ $labels.gpu }} ({{ $labels.name }}) of box {{ $labels.box }} has not been readable for 2 minutes:",
      "it fell off the bus, or its driver failed or was updated without a reboot. Models may run on the CPU.",
      "On the box, run `nvidia-smi` and `dmesg | grep -i nvrm`; reset the GPU or reboot.",
    ],
  },
  GpuHot: {
    comment: [
      "NVIDIA cards lower their clocks between about 83 and 93 °C: answers get slow before anything breaks.",
    ],
    expr: [`ollama_gpu_temperature_celsius > ${GPU_C} ${UNLESS_SIMULATED}`],
    for: lasting("gpu_hot"),
    severity: "warning",
    summary: 'GPU {{ $labels.gpu }} of box {{ $labels.box }} is at {{ $value | printf "%.0f" }} °C',
    description: [
      "GPU {{ $labels.gpu }} ({{ $labels.name }}) of box {{ $labels.box }} has been above",
      `${GPU_C} °C for 5 minutes and is at {{ $value | printf "%.0f" }} °C.`,
      "It lowers its clocks to protect itself, which slows every answer. Check fans, dust and the air",
      "around it, or lower the power limit: `nvidia-smi -pl <watts>`.",
    ],
  },
  ModelOnCpu: {
    comment: [
      "Ollama silently puts the layers that do not fit on the GPU on the CPU, and tokens come several times",
      "slower. A model that is entirely on the CPU mostly means that the driver does not work. Silence this",
      "alert for a box that is meant to run without a GPU.",
    ],
    expr: [
      `1 - ollama_loaded_model_vram_bytes / ollama_loaded_model_bytes > 0 ${UNLESS_SIMULATED}`,
    ],
    for: lasting("model_on_cpu"),
    severity: CONCERNS.model_on_cpu.severity,
    summary:
      "{{ $value | humanizePercentage }} of {{ $labels.model }} on box {{ $labels.box }} runs on the CPU",
    description: [
      "{{ $value | humanizePercentage }} of the memory of {{ $labels.model }} on box {{ $labels.box }}",
      "is not on the GPU, which makes it slow. Unload other models (`ollama stop`), or use a smaller",
      "quantization, a shorter context (num_ctx) or fewer parallel slots (OLLAMA_NUM_PARALLEL).",
      "If all of it is on the CPU, check that nvidia-smi works on the box.",
    ],
  },
};

export const ALERTS: Record<AlertName, Alert> = { ...WRITTEN, ...madeAlerts() };
