"""What a pipeline of stages is made of: queues whose settings change while they are served, and events in them.

Which stages there are, and what each does with an event, is the model's.
"""
