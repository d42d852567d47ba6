"""`make demo`: an airport authority bills the airlines for their real departures of 2013. See docs/demo.md."""
