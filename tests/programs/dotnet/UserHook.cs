// A startup hook of the user's own.
using System;

internal class StartupHook
{
    public static void Initialize()
    {
        Console.WriteLine("the user's hook");
    }
}
