"""What every model needs and no model is about: options, the listener, drain, health, control, telemetry.

Who accepts, who reads, who runs a call and who writes is never decided here: that is the model.
"""
