using System.Text;

namespace QedEdge.CommandLine.Documentation;

/// <summary>Completion for bash 4.4 or newer: one function, which finds the command in the first word and what to offer in the word before.</summary>
internal static class BashCompletion
{
    public static string Write(Command program)
    {
        string function = "_" + program.Name.Replace('-', '_');
        var script = new StringBuilder();
        script.Append($$"""
            # Completion of {{program.Name}}'s command line, made by "{{program.Name}} completion bash".

            {{function}}() {
                local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' options='' words='' names=''
                COMPREPLY=()
                if [[ $word == = ]]; then # --option=
                    word=''
                elif [[ $before == = ]] && ((COMP_CWORD > 2)); then # --option=value
                    before=${COMP_WORDS[COMP_CWORD - 2]}
                fi
                ((COMP_CWORD > 1)) && command=${COMP_WORDS[1]}
                case $command in

            """);
        foreach (Command command in program.Commands)
            AppendCommand(script, command.Name, command, "");
        AppendCommand(script, "*", program, string.Join(' ', program.Commands.Select(command => command.Name)));
        script.Append($$"""
                esac
                [[ " ${COMP_WORDS[*]:1:COMP_CWORD-1} " == *' -- '* ]] && options='' # everything is text
                if [[ -n $options && $word == -* ]]; then
                    words=$options names=''
                elif [[ -z $word && -z $words && -z $names ]]; then
                    words=$options
                fi
                [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
                [[ -n $names ]] && compopt -o "$names"
                return 0
            }

            complete -F {{function}} {{program.Name}}

            """);
        return script.ToString();
    }

    private static void AppendCommand(StringBuilder script, string pattern, Command command, string commands)
    {
        script.Append($"        {pattern})\n            case $before in\n");
        foreach (Parameter option in command.Options)
        {
            if (option.Kind != ValueKind.None)
                script.Append($"                {string.Join(" | ", option.Names)}){(option.Kind == ValueKind.Free ? " return" : Offer(option.Words, Source(option)))} ;;\n");
        }
        script.Append($"                *) options='{string.Join(' ', command.AllOptions.SelectMany(option => option.Names).Where(Option.IsTyped))}'");
        List<string> words = commands == "" ? [] : [commands];
        string source = "";
        foreach (Parameter argument in command.Arguments)
        {
            words.AddRange(argument.Words);
            source = source == "" || argument.Kind == ValueKind.File ? Source(argument) : source;
        }
        script.Append($"{Offer([.. words], source)} ;;\n            esac\n            ;;\n");
    }

    /// <summary>The assignments that let values be offered.</summary>
    private static string Offer(string[] words, string source) =>
        (words.Length > 0 ? $" words='{string.Join(' ', words)}'" : "") + (source != "" ? $" names={source}" : "");

    /// <summary>Bash's own name for names of files or folders: what readline offers where there is nothing else, or folders beside all else.</summary>
    private static string Source(Parameter parameter) => parameter.Kind switch { ValueKind.File => "default", ValueKind.Folder => "plusdirs", _ => "" };
}
