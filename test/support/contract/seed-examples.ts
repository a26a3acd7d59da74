/**
 * The examples of the documentation that this API promises to keep, to the letter: the requests of a
 * caller of the older monitoring API, and their answers.
 */

/** Each path is requested unchanged, and its answer has every field of the example, of the same type. */
export const ANSWERS: Record<string, string> = {
  "/api/stats/current": `{
  "total_requests": 42,
  "total_tokens": 5230,
  "total_errors": 2,
  "avg_latency_ms": 1250,
  "models_in_use": ["llama3.2", "mistral"],
  "uptime_seconds": 3600
}`,
  "/api/stats/history": `{
  "metrics": [
    {
      "timestamp": "2024-12-26T10:00:00Z",
      "requests_per_minute": 5,
      "tokens_per_second": 45,
      "avg_latency_ms": 1200,
      "error_rate": 0.05
    },
    {
      "timestamp": "2024-12-26T10:05:00Z",
      "requests_per_minute": 8,
      "tokens_per_second": 67,
      "avg_latency_ms": 1100,
      "error_rate": 0.02
    }
  ]
}`,
  "/api/stats/logs?limit=10": `{
  "logs": [
    {
      "id": "req-001",
      "timestamp": "2024-12-26T10:15:23Z",
      "model": "llama3.2",
      "prompt": "What is machine learning?",
      "response": "Machine learning is a subset of artificial intelligence...",
      "tokens_used": 150,
      "latency_ms": 1250,
      "status": "success",
      "client_ip": "192.168.1.100"
    }
  ]
}`,
  "/api/models": `{
  "models": [
    {
      "name": "llama3.2",
      "total_requests": 25,
      "total_tokens": 3000,
      "avg_latency_ms": 1150,
      "tokens_per_second": 50,
      "error_rate": 0.04
    },
    {
      "name": "mistral",
      "total_requests": 17,
      "total_tokens": 2230,
      "avg_latency_ms": 1320,
      "tokens_per_second": 42,
      "error_rate": 0.12
    }
  ]
}`,
  "/api/gpu": `{
  "available": true,
  "gpu_count": 1,
  "gpus": [
    {
      "index": 0,
      "name": "NVIDIA RTX 3090",
      "utilization_percent": 75,
      "memory_used_mb": 8192,
      "memory_total_mb": 24576,
      "temperature_c": 65,
      "power_draw_w": 280
    }
  ]
}`,
};

/** Queries of the documentation in addition to {@link ANSWERS}. */
export const QUERIES = [
  "/api/stats/logs?model=llama3.2&limit=5",
  "/api/stats/logs?status=error&limit=10",
];

/** The lines that the exposition must contain, except for the numbers. */
export const EXPOSITION = `# HELP ollama_requests_total Total number of requests
# TYPE ollama_requests_total counter
ollama_requests_total 42.0

# HELP ollama_tokens_generated_total Total tokens generated
# TYPE ollama_tokens_generated_total counter
ollama_tokens_generated_total 5230.0

# HELP ollama_request_latency_ms Request latency histogram
# TYPE ollama_request_latency_ms histogram
ollama_request_latency_ms_bucket{model="llama3.2",le="100"} 0.0
ollama_request_latency_ms_bucket{model="llama3.2",le="500"} 5.0
ollama_request_latency_ms_bucket{model="llama3.2",le="1000"} 18.0
ollama_request_latency_ms_bucket{model="llama3.2",le="5000"} 25.0`;

/** The four metrics. */
export const METRIC_NAMES = [
  "ollama_requests_total",
  "ollama_tokens_generated_total",
  "ollama_errors_total",
  "ollama_request_latency_ms",
];

/** Every endpoint of the documentation. */
export const ENDPOINTS = `GET  /api/health
GET  /api/stats/current
GET  /api/stats/history
GET  /api/stats/logs
GET  /api/models
POST /api/chat
GET  /api/ollama/models
POST /api/ollama/pull
DELETE /api/ollama/models/{name}
GET  /api/ollama/library
GET  /api/models/repository
GET  /api/models/repository/{name}
POST /api/models/repository
PUT  /api/models/repository/{name}
POST /api/models/repository/sync
GET    /api/data/summary
DELETE /api/data/metrics
DELETE /api/data/logs
DELETE /api/data/all
GET /api/metrics
GET /api/gpu`
  .split("\n")
  .map((line) => line.replace(/ +/, " "));
