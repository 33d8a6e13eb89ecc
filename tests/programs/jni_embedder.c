/* Loads libjvm by itself, as application servers and database extensions do, and runs
   `java.lang.System.getProperty("otel.service.name")` in it. Arguments: libjvm, then JVM options. */
#include <dlfcn.h>
#include <jni.h>
#include <stdio.h>
#include <stdlib.h>

typedef jint (*create_vm)(JavaVM **, void **, void *);

int main(int count, char **arguments) {
    JavaVMOption options[16];
    if (count < 2 || count > 17) return 1;
    for (int i = 2; i < count; i++) options[i - 2].optionString = arguments[i];
    JavaVMInitArgs start = {JNI_VERSION_1_8, count - 2, options, JNI_FALSE};
    /* An embedder may look at the variable itself before it has a JVM. */
    getenv("JAVA_TOOL_OPTIONS");
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 2;
    create_vm create = (create_vm)dlsym(library, "JNI_CreateJavaVM");
    JavaVM *machine;
    JNIEnv *jni;
    if (create(&machine, (void **)&jni, &start) != JNI_OK) return 3;
    jclass system = (*jni)->FindClass(jni, "java/lang/System");
    jmethodID get = (*jni)->GetStaticMethodID(jni, system, "getProperty", "(Ljava/lang/String;)Ljava/lang/String;");
    jstring key = (*jni)->NewStringUTF(jni, "otel.service.name");
    jstring value = (*jni)->CallStaticObjectMethod(jni, system, get, key);
    printf("otel.service.name=%s\n", value ? (*jni)->GetStringUTFChars(jni, value, NULL) : "(null)");
    fflush(stdout);
    (*machine)->DestroyJavaVM(machine);
    return 0;
}
