# Run by the Python to be embedded. Makes answer: what it is, where its shared library may be, and how it started.
import sys

sys.path = [folder for folder in sys.path if folder]  # no modules of the working directory
import json, os, sysconfig

get = sysconfig.get_config_var
names = [n for n in (get("INSTSONAME"), get("LDLIBRARY"), get("PY3LIBRARY")) if n and ".so" in n]
names.append("libpython%d.%d%s.so.1.0" % (*sys.version_info[:2], getattr(sys, "abiflags", "")))
names = [n for n in dict.fromkeys(names) if n != "libpython3.so"]
folders = [get("LIBDIR"), os.path.join(sys.base_prefix, "lib")]
if get("MULTIARCH"):
    folders += [os.path.join(f, get("MULTIARCH")) for f in folders if f]
folders.append(get("LIBPL"))
folders = [f for f in dict.fromkeys(folders) if f]


def path(text):  # a path is bytes, and JSON text: a character for each byte
    return os.fsencode(text).decode("latin-1")


answer = json.dumps({
    "Executable": path(sys.executable),
    "Implementation": sys.implementation.name,
    "Version": sys.version.split()[0],
    "Major": sys.version_info[0],
    "Minor": sys.version_info[1],
    "FreeThreaded": bool(get("Py_GIL_DISABLED")),
    "Libraries": [path(os.path.join(f, n)) for f in folders for n in names],
    "UTF8Mode": sys.flags.utf8_mode,
    "Locale": os.environ.get("LC_CTYPE", ""),  # which Python may have set itself
})
