"""A metric over time: control limits, and alarms that may be looked at every day."""
