"""Payment providers behind one interface: values come in, values go out, nothing of our storage is known here.

Each provider is one file; `registry` names them, `base` says what each of them offers. A provider's library is imported at the
first call that needs it, so that a process which never calls the provider never pays for it.
"""
