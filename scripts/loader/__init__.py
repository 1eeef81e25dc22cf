"""Parts of the event loader: names, values, times, payloads, input lines and the warehouse writer."""
