from hypothesis import settings

settings.register_profile("no deadline", deadline=None)  # a busy machine is slow, which is no defect
settings.load_profile("no deadline")
