"""Figures and spans for what watches a host: Prometheus and OpenTelemetry."""
