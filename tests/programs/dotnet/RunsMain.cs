// An agent that runs the application itself from its startup hook and never comes back, as the automatic
// instrumentation does without its profiler since 1.15.
using System;

internal class StartupHook
{
    public static void Initialize()
    {
        Console.WriteLine("the agent runs Main");
        Environment.Exit(7);
    }
}
