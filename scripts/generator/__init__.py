"""Synthetic RudderStack events of multi-agent products, with the truth about them.

`catalog` names the products, agents, tools and models; `knobs` names what can be switched on;
`plan` decides who runs what and when; `patterns` what the marts have to find, and on which days;
`simulate` plays the runs; `events` spoils the events on purpose; `truth` says what correct facts
must hold, `mart_truth` what the marts must show; `event_tables` shapes the events; `writers` puts
them into files.
"""
