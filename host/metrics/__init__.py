"""Figures of a host for Prometheus, and spans of its runs for OpenTelemetry."""
