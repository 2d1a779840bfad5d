"""Settings shared by all tests: charts are drawn without a window."""

import matplotlib

matplotlib.use("Agg")
