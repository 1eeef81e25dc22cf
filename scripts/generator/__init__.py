"""Synthetic RudderStack events of multi-agent products, with the truth about them.

`catalog` names the products, agents, tools and models; `plan` decides who runs what and when;
`simulate` plays the runs; `dirt` spoils the events on purpose; `truth` says what a correct model
must conclude; `event_tables` shapes the seven events; `writers` puts them into files.
"""
