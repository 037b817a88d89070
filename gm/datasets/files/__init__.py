"""The files of datasets: read, written, and listed in a datasets.yaml."""
