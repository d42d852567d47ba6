"""`make bench`: counts of requests and capacity units, and where the time of metering goes. See docs/benchmarks.md."""
