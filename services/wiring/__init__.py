"""The one place where connectors meet ports: a module for each process, so that none loads what it does not use."""

RELEASE = "0.1.0"
